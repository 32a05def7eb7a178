"""What GPUs and language models can hold and do, and which machines are on offer."""
