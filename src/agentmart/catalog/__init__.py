"""What is sold: categories, offerings, plans, components and prices."""
