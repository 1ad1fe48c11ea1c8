"""Customers of a CRM, from its paged API into a table."""
