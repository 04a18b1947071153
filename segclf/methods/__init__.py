"""One method, one file: the estimator that users construct, and what it trains."""
