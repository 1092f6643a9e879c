"""DICOMweb: segment the images of a study in an archive (PACS), and store the segmentations there."""
