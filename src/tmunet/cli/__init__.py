"""The command line: one verb a job, one file a verb."""
