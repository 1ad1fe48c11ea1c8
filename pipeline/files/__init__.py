"""What the systems that take files share: rows of a CSV file, uploads, and what becomes of a row or a file that cannot be processed."""
