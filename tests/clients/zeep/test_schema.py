"""All that the server says of its inventory fits the schema that it serves."""

import unittest

from vcenter import VCenter


class Schema(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vcenter = VCenter()
        cls.vcenter.login()
        cls.addClassCleanup(cls.vcenter.logout)

    def test_every_entity(self):
        content, service = self.vcenter.content, self.vcenter.service
        view = service.CreateContainerView(
            content.viewManager, content.rootFolder, ["ManagedEntity"], True
        )
        entities = self.vcenter.read(view, "view")["view"].ManagedObjectReference
        self.assertGreater(len(entities), 10)
        for entity in [content.rootFolder, *entities]:
            with self.subTest(entity._value_1):
                self.assertTrue(self.vcenter.read(entity)["name"])

    def test_every_manager(self):
        content = self.vcenter.content
        for name in content:
            manager = content[name]
            if getattr(manager, "type", None):
                with self.subTest(name):
                    self.vcenter.read(manager)
