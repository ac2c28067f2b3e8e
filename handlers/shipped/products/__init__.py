"""Products, their properties and price list entries, as Kibo's documents."""
