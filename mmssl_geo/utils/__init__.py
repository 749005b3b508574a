"""What all parts of the package share. Needs no OpenMMLab package."""
