"""Working fakes of every port, in memory: for unit tests, notebooks and contract suites."""
