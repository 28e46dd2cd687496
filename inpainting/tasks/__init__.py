"""What the commands do: train, evaluate, fill; a file each."""
