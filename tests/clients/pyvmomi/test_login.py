"""A server that was started with -username and -password."""

import unittest

from pyVim.connect import Disconnect
from pyVmomi import vim

from vcenter import connect


class Login(unittest.TestCase):
    def test_right(self):
        si = connect("root", "secret")
        self.assertEqual(si.content.sessionManager.currentSession.userName, "root")
        Disconnect(si)

    def test_wrong(self):
        for user, password in [("root", "wrong"), ("other", "secret"), ("user", "pass")]:
            with self.subTest(user), self.assertRaises(vim.fault.InvalidLogin) as caught:
                connect(user, password)
            self.assertIn("incorrect user name or password", caught.exception.msg)
