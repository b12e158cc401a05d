"""What the doubled stages hold, and no error may show.

Apart from them, since whoever imports a module of tasks has its tasks for good: of two that bear
one name, Celery keeps the first.
"""

SECRET = "the content of a private document"
