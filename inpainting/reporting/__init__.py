"""The report: from folders of runs to tables, pictures and one page."""

COMPARED = ("psnr_hole", "ssim_hole")  # whose differences are given where no others are asked for
