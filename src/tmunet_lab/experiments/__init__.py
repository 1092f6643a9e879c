"""The paper's tables and figures, from plans of runs to pages. Importing this package loads neither torch nor Lightning."""
