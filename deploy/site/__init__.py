"""The site that `make docs` makes of docs/, whose pages stay as they read best in the tree."""
