"""Logging in, and looking around."""

import ssl
import xmlrpc.client

import XenAPI

from pool import PASSWORD, URL, USER, XENAPI, LoggedIn


class Sessions(LoggedIn):
    def test_login_with_two_to_four_arguments(self):
        for more in [(), ("1.0",), ("1.0", "me")]:
            session = XenAPI.Session(XENAPI + "/", ignore_ssl=True)
            session.xenapi.login_with_password(USER, PASSWORD, *more)
            self.assertEqual(session.API_version, "2.21")
            session.logout()

    def test_a_session_says_who_it_is(self):
        own = self.session._session
        record = self.xenapi.session.get_record(own)
        self.assertEqual(record["originator"], "vimsim tests")
        self.assertEqual(record["uuid"], self.xenapi.session.get_uuid(own))
        self.assertIs(record["is_local_superuser"], True)
        host = self.xenapi.session.get_this_host(own)
        self.assertEqual(host, self.xenapi.pool.get_master(self.xenapi.pool.get_all()[0]))

    def test_no_password(self):
        session = XenAPI.Session(XENAPI, ignore_ssl=True)
        with self.failure("SESSION_AUTHENTICATION_FAILED", USER):
            session.xenapi.login_with_password(USER, "")

    def test_a_session_that_is_over(self):
        session = XenAPI.Session(XENAPI, ignore_ssl=True)
        session.xenapi.login_with_password(USER, PASSWORD)
        reference = session._session
        session.logout()
        # The client itself would log in again.
        self.assertEqual(plain_call(reference), ["SESSION_INVALID", reference])

    def test_the_inventory_is_that_of_vsphere(self):
        names = sorted(vm["name_label"] for vm in self.xenapi.VM.get_all_records().values())
        si = self.vsphere()
        one = self.vsphere_vm(si, names[0])
        record = self.xenapi.VM.get_record(self.vm(names[0]))
        self.assertEqual(record["uuid"], one.config.instanceUuid)
        self.assertEqual(record["power_state"], "Running")
        host = self.xenapi.host.get_record(record["resident_on"])
        self.assertEqual(host["name_label"], one.runtime.host.name)
        self.assertIn(self.vm(names[0]), host["resident_VMs"])
        self.assertEqual(host["software_version"]["product_brand"], "XenServer")


def plain_call(session):
    """What a call in a session fails with, by a client that does not renew sessions."""
    secure = URL.scheme == "https"
    context = ssl._create_unverified_context() if secure else None
    proxy = xmlrpc.client.ServerProxy(XENAPI + "/RPC2", context=context)
    return proxy.VM.get_all(session)["ErrorDescription"]
