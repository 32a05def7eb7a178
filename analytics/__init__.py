"""Pure analysis of the GPU spot market: values in, values out."""
