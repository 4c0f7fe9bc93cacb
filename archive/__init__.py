"""What is kept, sealed, and how it goes away. Promises P3 to P6 and P10."""
