"""Abstract bases of the tables."""

from django.db import models

from modelwright.core.ids import new_id
from modelwright.core.validators import validate_name


class BaseModel(models.Model):
    """A row with a time-ordered id and the moment of its creation."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class NamedModel(BaseModel):
    """A row that people call by a name, unique among its siblings."""

    name = models.CharField(max_length=63, validators=[validate_name])
    description = models.TextField(blank=True, default="")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name
