"""What can be done with orders, one verb each."""
