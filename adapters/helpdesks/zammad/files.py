"""Files of articles: a change that tells of an article brings what hangs on it."""

from collections.abc import Sequence

from msgspec import structs

from adapters.helpdesks.zammad.documents import DOCUMENTS, Theirs
from adapters.helpdesks.zammad.rows import ArticleRow
from adapters.helpdesks.zammad.session import Session
from adapters.kit.attaching import Listed, fetched


async def with_files(document: Theirs, articles: Sequence[ArticleRow], session: Session) -> Theirs:
    """The change with the files of its article; what stays there is named with the reason.

    ``articles``: all of the ticket, the oldest first. Raises ``Undelivered``.
    """
    told = {f"article:{each.id}": each for each in articles}
    if articles and not articles[0].internal:
        told[f"ticket:{document.ticket.id}"] = articles[0]
    article = told.get(document.change.id)
    if article is None:
        return document
    listed = [
        Listed(name=each.filename, type=each.media_type, wanted=session.file(article, each))
        for each in article.attachments
        if not each.repeats_text
    ]
    beside = len(DOCUMENTS.write(document))
    attached, left = await fetched(listed, session.downloads, beside=beside)
    return structs.replace(document, attached=attached, files=left)
