"""What is told at fixed times: when it is due, what is queued then, and what follows from how it was delivered."""
