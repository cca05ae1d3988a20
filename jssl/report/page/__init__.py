"""``jssl report``: one HTML file about one or several runs."""

from jssl.report.page.write import write_page

__all__ = ["write_page"]
