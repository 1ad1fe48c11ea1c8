"""Orders: a CSV file is split, its chunks are checked and enriched in parallel, and merged again, in order; its link goes out by e-mail."""
