"""Lays a paper out as a PDF: A4, one column, as many pages as it needs. The same paper gives the same bytes.

Text of Western European scripts is set in the standard fonts, which every reader has and which cost no room: a document
is then some three kilobytes. Anything else is set in the bundled DejaVu Sans. No clock, no chance, no file is written.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from counterfoil.core.papers import Item, Paper, Party, Sum

if TYPE_CHECKING:
    from fpdf import FPDF

FONT: Final = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
BASIC: Final = "windows-1252"
LEFT, RIGHT, TOP, BOTTOM = 20.0, 190.0, 20.0, 272.0
AMOUNT_WIDTH: Final = 29.0
INK, FAINT, RULE = (28, 28, 26), (110, 108, 102), (206, 203, 195)


def render(paper: Paper) -> bytes:
    """Give the bytes of a paper."""
    return _Sheet(paper).bytes()


class _Sheet:
    """One document on its way. Lengths are millimetres from the top left corner, sizes of type are points."""

    def __init__(self, paper: Paper) -> None:
        from fpdf import FPDF

        self.paper = paper
        self.pdf = FPDF(format="A4")
        self.pdf.set_creation_date(paper.issued_at)
        self.pdf.set_producer("Counterfoil")
        self.pdf.set_title(f"{paper.title} {paper.number}")
        self.pdf.set_lang(paper.language)
        self.pdf.set_auto_page_break(auto=False)
        self.pdf.set_margins(LEFT, TOP, 210 - RIGHT)
        self.family, self.bold = _font(self.pdf, paper)
        self.colour = _rgb(paper.seller.colour)

    def bytes(self) -> bytes:
        """Lay everything out, from top to bottom."""
        self.pdf.add_page()
        self._head()
        y = self._columns(max(self._buyer(60.0), self._facts(60.0)) + 10)
        for item in self.paper.items:
            y = self._item(item, y)
        y = self._sums(y + 4)
        self._notes(y + 8)
        self._feet()
        return bytes(self.pdf.output())

    # --- the parts ---

    def _head(self) -> None:
        self.pdf.set_fill_color(*self.colour)
        self.pdf.rect(0, 0, 210, 3.5, style="F")
        name = self.paper.seller.party.name
        self._text(LEFT, TOP, name, 15, strong=True, width=95)
        y = TOP + 8
        for line in _below(self.paper.seller.party):
            y = self._text(LEFT, y, line, 8.5, faint=True, width=95)
        self.pdf.set_text_color(*self.colour)
        self._text(LEFT + 80, TOP - 1, self.paper.title, 22, align="R", width=RIGHT - LEFT - 80, coloured=True)
        self._text(LEFT + 80, TOP + 9, self.paper.number, 11, align="R", width=RIGHT - LEFT - 80)

    def _buyer(self, y: float) -> float:
        y = self._text(LEFT, y, self.paper.buyer_label, 8, faint=True)
        y = self._text(LEFT, y + 0.5, self.paper.buyer.name, 10.5, strong=True, width=90)
        for line in _below(self.paper.buyer):
            y = self._text(LEFT, y, line, 9.5, width=90)
        return y

    def _facts(self, y: float) -> float:
        for label, value in self.paper.facts:
            self._text(118, y, label, 8.5, faint=True, width=34)
            y = max(y + 5, self._text(150, y, value, 9.5, align="R", width=RIGHT - 150))
        return y

    def _columns(self, y: float) -> float:
        first, *amounts = self.paper.columns
        self._text(LEFT, y, first, 8, faint=True)
        self._amounts(tuple(amounts), y, 8, faint=True)
        return self._rule(y + 5.5) + 2.5

    def _item(self, item: Item, y: float) -> float:
        width = RIGHT - LEFT - AMOUNT_WIDTH * (len(self.paper.columns) - 1) - 4
        y = self._room(y, 6 + 5 * (len(item.text) // 45) + 4.5 * len(item.small))
        self._amounts(item.amounts, y, 9.5)
        y = self._text(LEFT, y, item.text, 9.5, width=width)
        for line in item.small:
            y = self._text(LEFT, y, line, 8, faint=True, width=width)
        return self._rule(y + 1.8) + 2.2

    def _sums(self, y: float) -> float:
        for each in self.paper.sums:
            y = self._sum(each, self._room(y, 8))
        return y

    def _sum(self, each: Sum, y: float) -> float:
        size = 11.0 if each.strong else 9.5
        if each.strong:
            y = self._rule(y, left=105) + 2.2
        self._text(105, y, each.label, size, strong=each.strong, width=48)
        self._text(RIGHT - 42, y, each.amount, size, strong=each.strong, align="R", width=42)
        return y + (7.5 if each.strong else 5.6)

    def _notes(self, y: float) -> None:
        for note in self.paper.notes:
            y = self._text(LEFT, self._room(y, 12), note, 8.5, faint=True, width=RIGHT - LEFT) + 1.5

    def _feet(self) -> None:
        """Number the pages, and say at the foot of each what the seller wants said there."""
        count = self.pdf.pages_count
        for page in range(1, count + 1):
            self.pdf.page = page
            self._rule(280)
            self._text(LEFT, 282, self.paper.seller.note, 7.5, faint=True, width=130)
            place = self.paper.page.format(page, count)
            self._text(RIGHT - 60, 282, f"{self.paper.number} · {place}", 7.5, faint=True, align="R", width=60)
        self.pdf.page = count

    # --- the hand ---

    def _text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        *,
        width: float = 80.0,
        align: str = "L",
        strong: bool = False,
        faint: bool = False,
        coloured: bool = False,
    ) -> float:
        """Set text, wrapped to its width, and give where the next line begins."""
        height = size * 0.3528 * 1.32
        if not text:
            return y
        self.pdf.set_font(self.family, self.bold if strong else "", size)
        self.pdf.set_text_color(*(self.colour if coloured else FAINT if faint else INK))
        self.pdf.set_xy(x, y)
        self.pdf.multi_cell(width, height, _plain(text), align=align, padding=0)
        return float(self.pdf.get_y())

    def _amounts(self, amounts: tuple[str, ...], y: float, size: float, *, faint: bool = False) -> None:
        for place, text in enumerate(reversed(amounts)):
            self._text(RIGHT - AMOUNT_WIDTH * (place + 1), y, text, size, align="R", width=AMOUNT_WIDTH, faint=faint)

    def _rule(self, y: float, left: float = LEFT) -> float:
        self.pdf.set_draw_color(*RULE)
        self.pdf.set_line_width(0.2)
        self.pdf.line(left, y, RIGHT, y)
        return y

    def _room(self, y: float, height: float) -> float:
        """Give where the next thing of this height stands: on the next page, when this one is full."""
        if y + height <= BOTTOM:
            return y
        self.pdf.add_page()
        return TOP


def _font(pdf: "FPDF", paper: Paper) -> tuple[str, str]:
    """Choose the fonts: family, and the style of strong text."""
    pdf.core_fonts_encoding = BASIC
    if all(_is_basic(text) for text in _texts(paper)):
        return "helvetica", "B"
    pdf.add_font("dejavu", fname=FONT)
    return "dejavu", ""


def _is_basic(text: str) -> bool:
    try:
        _plain(text).encode(BASIC)
    except UnicodeEncodeError:
        return False
    return True


def _plain(text: str) -> str:
    """Give text as one line that a font has: what only steers a terminal or a layout is left out."""
    spaced = text.replace("\u2212", "\u2013").replace("\u202f", "\u00a0")
    return "".join(each if each.isprintable() or each == "\u00a0" else " " for each in spaced)


def _texts(paper: Paper) -> list[str]:
    seller, buyer = paper.seller, paper.buyer
    texts = [paper.title, paper.number, seller.note, paper.buyer_label, paper.page, *paper.columns, *paper.notes]
    for party in (seller.party, buyer):
        texts += [party.name, *_below(party)]
    for label, value in paper.facts:
        texts += [label, value]
    for item in paper.items:
        texts += [item.text, *item.small, *item.amounts]
    return texts + [text for each in paper.sums for text in (each.label, each.amount)]


def _below(party: Party) -> tuple[str, ...]:
    return tuple(each for each in (*party.address, party.tax_id, party.email) if each)


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue
