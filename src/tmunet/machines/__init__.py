"""Work on several machines: a Dask scheduler or Slurm jobs behind one `map`; `tmunet predict|check|evaluate --dask|--slurm`."""
