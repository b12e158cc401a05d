"""The document fleet: fetch a source, tell its type, convert it to pages, split it into chunks."""
