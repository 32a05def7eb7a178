"""The engine of questions: what a command is, how a line is read, and how it is answered for every face."""
