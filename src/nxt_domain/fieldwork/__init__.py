"""Work in the field: issues of meters and grids, and notes about what people found."""
