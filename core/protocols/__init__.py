"""Ways to evaluate: slice tables as in the paper, and folders of predictions as the MOOD challenge scores them."""
