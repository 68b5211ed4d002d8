"""Log in, stay logged in, log out; what a stranger may and may not do."""

import unittest

from pyVim.connect import Disconnect
from pyVmomi import vim, vmodl

from vcenter import LoggedIn, connect, stranger


class Session(LoggedIn):
    def test_about(self):
        about = self.content.about
        self.assertEqual(about.apiType, "VirtualCenter")
        self.assertEqual(about.productLineId, "vpx")
        self.assertIn("VMware vCenter Server", about.fullName)
        self.assertTrue(about.instanceUuid)

    def test_current_session(self):
        session = self.content.sessionManager.currentSession
        self.assertEqual(session.userName, "user")
        self.assertLessEqual(session.loginTime, self.si.CurrentTime())

    def test_every_connection_is_a_session(self):
        other = connect()
        self.addCleanup(Disconnect, other)
        keys = {s.key for s in self.content.sessionManager.sessionList}
        for si in (self.si, other):
            self.assertIn(si.content.sessionManager.currentSession.key, keys)

    def test_logout(self):
        self.content.sessionManager.Logout()
        self.assertIsNone(self.content.sessionManager.currentSession)
        with self.assertRaises(vim.fault.NotAuthenticated):
            self.si.CurrentTime()

    def test_terminated_by_another(self):
        other = connect()
        key = other.content.sessionManager.currentSession.key
        self.content.sessionManager.TerminateSession([key])
        with self.assertRaises(vim.fault.NotAuthenticated):
            other.CurrentTime()
        with self.assertRaises(vim.fault.NotFound):
            self.content.sessionManager.TerminateSession([key])

    def test_second_login(self):
        with self.assertRaises(vim.fault.InvalidLogin):
            self.content.sessionManager.Login("user", "pass")

    def test_cloned_session(self):
        ticket = self.content.sessionManager.AcquireCloneTicket()
        other = stranger()
        session = other.content.sessionManager.CloneSession(ticket)
        self.assertEqual(session.userName, "user")
        self.assertTrue(other.CurrentTime())
        with self.assertRaises(vim.fault.InvalidLogin):
            stranger().content.sessionManager.CloneSession(ticket)

    def test_locale(self):
        self.content.sessionManager.SetLocale("en_GB")
        self.assertEqual(self.content.sessionManager.currentSession.locale, "en_GB")


class Stranger(unittest.TestCase):
    def test_sees_the_service(self):
        self.assertEqual(stranger().content.about.apiType, "VirtualCenter")

    def test_sees_nothing_else(self):
        si = stranger()
        for ask in (
            si.CurrentTime,
            lambda: si.content.rootFolder.childEntity,
            lambda: si.content.viewManager.CreateListView(),
            lambda: vim.VirtualMachine("vm-1", si._stub).PowerOffVM_Task(),
        ):
            with self.assertRaises(vim.fault.NotAuthenticated):
                ask()

    def test_empty_password(self):
        with self.assertRaises(vim.fault.InvalidLogin):
            connect("user", "")
