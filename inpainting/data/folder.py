"""A data set of any image files below a folder."""

from inpainting.data.decoded import DecodedDataModule
from inpainting.data.listing import Listing, file_version
from inpainting.errors import InputError
from inpainting.images.files import list_images


class FolderDataModule(DecodedDataModule):
    """Every image below `root`, at any depth; its class is the first folder below `root`."""

    def listing(self) -> Listing:
        """List the image files, sorted by path.

        Raises:
            InputError: there are no image files.
        """
        paths = list_images(self.root)
        if not paths:
            raise InputError(
                f"{self.root} contains no image: type data.root=PATH, a folder of images"
            )
        relative = [path.relative_to(self.root) for path in paths]
        return Listing(
            root=self.root,
            files=[path.as_posix() for path in relative],
            classes=[path.parts[0] if len(path.parts) > 1 else "" for path in relative],
            versions=[file_version(path) for path in paths],
        )
