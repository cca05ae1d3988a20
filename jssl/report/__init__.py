"""The pictures and the page people look at."""

from jssl.report.grid import draw_views, image_grid, mask_image, save_png

__all__ = ["draw_views", "image_grid", "mask_image", "save_png"]
