"""Networks in plain torch, without Lightning."""
