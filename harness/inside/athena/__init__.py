"""Athena: SQL on the lake's objects by DuckDB, with the tables of Glue's catalogue."""
