"""The embedding model of this machine: where it comes from and how it is laid out."""
