"""Steps and their results: the plan that runs them, the store that keeps them."""
