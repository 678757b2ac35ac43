"""A report as data, and what writes it into a file: HTML, Word, Markdown, LaTeX."""

from commongarden.report.document.blocks import Answer as Answer
from commongarden.report.document.blocks import Answers as Answers
from commongarden.report.document.blocks import Bitmap as Bitmap
from commongarden.report.document.blocks import Block as Block
from commongarden.report.document.blocks import Bullets as Bullets
from commongarden.report.document.blocks import Cell as Cell
from commongarden.report.document.blocks import Chart as Chart
from commongarden.report.document.blocks import Commands as Commands
from commongarden.report.document.blocks import Cover as Cover
from commongarden.report.document.blocks import Document as Document
from commongarden.report.document.blocks import Figure as Figure
from commongarden.report.document.blocks import Fold as Fold
from commongarden.report.document.blocks import Gallery as Gallery
from commongarden.report.document.blocks import Heading as Heading
from commongarden.report.document.blocks import Keys as Keys
from commongarden.report.document.blocks import Legend as Legend
from commongarden.report.document.blocks import Log as Log
from commongarden.report.document.blocks import Only as Only
from commongarden.report.document.blocks import Paragraph as Paragraph
from commongarden.report.document.blocks import Plot as Plot
from commongarden.report.document.blocks import Section as Section
from commongarden.report.document.blocks import SideBySide as SideBySide
from commongarden.report.document.blocks import Styled as Styled
from commongarden.report.document.blocks import StyledLine as StyledLine
from commongarden.report.document.blocks import Table as Table
from commongarden.report.document.blocks import numbered as numbered
