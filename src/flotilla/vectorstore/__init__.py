"""The vectorstore fleet: embeds chunks, writes and removes points; and the search over them."""
