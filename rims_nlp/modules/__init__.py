"""``nn.Module`` layers, one concept a file."""
