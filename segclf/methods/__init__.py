"""One method, one file or package: the estimator that users construct, and what it trains."""
