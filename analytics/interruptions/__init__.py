"""How often tenants are interrupted: shadow tenants, the estimator, survival and the hours of the week."""
