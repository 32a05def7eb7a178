"""The questions, one file each; this tuple is all that the faces know of them."""
