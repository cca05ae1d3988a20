"""The pictures and the page people look at."""

from jssl.report.grid import image_grid, mask_image, save_png

__all__ = ["image_grid", "mask_image", "save_png"]
