"""The HTML representation of an estimator links to its page of the site."""

import segclf
from segclf.base import Estimator


class Own(Estimator):
    """Not one of ours."""


def test_links_to_the_site(monkeypatch):
    monkeypatch.setenv("SEGCLF_DOCS", "https://docs.example.org/latest/")
    page = "https://docs.example.org/latest/api/segclf.SupervisedSegmenter.html"
    assert segclf.SupervisedSegmenter()._get_doc_link() == page
    assert page in segclf.SupervisedSegmenter()._repr_html_()


def test_no_link_without_a_site_or_a_page(monkeypatch):
    assert Own()._get_doc_link() == ""
    monkeypatch.delenv("SEGCLF_DOCS", raising=False)
    assert segclf.SupervisedSegmenter()._get_doc_link() == ""
