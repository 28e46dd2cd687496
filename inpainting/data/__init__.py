"""Data sets: one LightningDataModule a file, all on `base.InpaintingDataModule`."""
