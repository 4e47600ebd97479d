"""Customers, projects, people, their roles and API tokens."""
