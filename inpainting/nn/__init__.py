"""Networks: plain torch, no Lightning."""
