"""Students: a CSV file is taken into a table, row by row, and a notice says how many there were."""
