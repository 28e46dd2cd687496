"""Networks that find people in photographs."""
