"""File formats of archives and viewers: DICOM images and segmentations. Nothing of it is imported unless such a file is met."""
