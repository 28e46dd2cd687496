"""Data sets: one LightningDataModule per file, all subclasses of `base.InpaintingDataModule`."""
